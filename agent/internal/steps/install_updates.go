package steps

// updateRounds counts, in a variable that outlives restarts, how often updates were
// installed.
const updateRounds = "_UpdateRounds"
