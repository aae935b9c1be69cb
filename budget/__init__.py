"""What a run needs of a machine, before anything is rented: the doctor."""
