"""The viewer in the browser: a server, one renderer thread, and a page for each client."""
