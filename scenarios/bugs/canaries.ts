/**
 * Bugs that show wherever clients talk to the store, in any scenario and with any settings: one of them is the canary of a campaign
 * that names none.
 */
export const CANARIES = ['B022'] as const;
