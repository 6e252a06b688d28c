package disk

// gptArrayBytes is the size of a GPT's array of 128 entries.
const gptArrayBytes = 128 * 128
