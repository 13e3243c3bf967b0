"""What the program does. Knows Africa's Talking and the database, never the request."""
