package state

func helperFull() {}
