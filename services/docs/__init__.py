"""What the addresses, fields and voice actions are, told to people and to programs."""
