/** From which version on the other side knows what; wire/hello.ts has their history. */

/** A peer without keys is told what was deleted. */
export const DROP_VERSION = 4
/** Documents are left out. */
export const EXCEPT_VERSION = 5
/** A device is told what was dropped, and a peer without keys that it was not deleted. */
export const DROPPED_VERSION = 6
/** A peer without keys says which bytes it holds. */
export const PROVE_VERSION = 7
