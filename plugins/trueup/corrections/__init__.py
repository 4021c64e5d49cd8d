"""From what stands wrong to what a target took: one engine, and a policy for each workflow."""
