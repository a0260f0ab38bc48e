/** Virtual time of the daemon's work, ns. What it does while it serves is made of these; an update has its own. */

/** One look of the main loop at what there is to do. */
export const PASS_NS = 200;
/** A request served, or what the hypervisor has to say of domains. */
export const MESSAGE_NS = 900;
/** A piece of a message moved, and no more. */
export const PIECE_NS = 150;
/** A message, or a piece of one, written to a client. */
export const WRITE_NS = 350;

/** From an upcall to the daemon's return from poll(2). */
export const POLL_NS = 1_500;

/** One access to an index of a ring, and one copy, where each is a step. */
export const ACCESS_NS = 15;
export const COPY_NS = 40;
