/**
 * Memory for what peers make a replica keep while it waits: requests, and offers that are not delivered. Each link has bounds of its own;
 * one room for all replicas of one account of a relay bounds what many links together can take.
 */

export interface Room {
  /** False when there is not so much left. */
  take(bytes: number): boolean
  give(bytes: number): void
}

export function createRoom(maxBytes: number): Room {
  let taken = 0
  return {
    take(bytes) {
      if (taken + bytes > maxBytes) return false
      taken += bytes
      return true
    },
    give(bytes) {
      taken -= bytes
    },
  }
}

export const ENDLESS_ROOM: Room = { take: () => true, give: () => undefined }
