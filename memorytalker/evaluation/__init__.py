"""How good the motion is: metrics with their definitions, and the commands that print them."""
