"""What was kept, read back for programs: lists page by page, single rows, waiting for a change, sums of cost. Changes nothing."""
