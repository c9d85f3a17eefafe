"""The viewer: state, camera, image and canvas; shared by the window, the browser and notebooks."""
