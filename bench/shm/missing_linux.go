package shmbench

// fairleadMissing is why package shm takes no part; empty if it does.
const fairleadMissing = ""
