"""What needs no training: costs, statements, figures and the plan of what is left."""
