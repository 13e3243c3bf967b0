"""What follows from a kept callback by functions of flows/."""
