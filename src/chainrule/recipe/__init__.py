"""What is trained, on what, and one step of it: everything before the first step, and the step itself."""
