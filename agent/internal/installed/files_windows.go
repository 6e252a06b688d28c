package installed

// noFollow: Windows has no such flag. What is overwritten was seen to be a file before.
const noFollow = 0
