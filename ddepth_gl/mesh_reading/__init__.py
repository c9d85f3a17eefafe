"""What `mesh_files` reads mesh files with: one step, one module; a file is not trusted in any of them."""
