"""What people in the world do, one module a workflow, and where it comes from."""
