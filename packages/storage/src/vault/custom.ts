/** Under whatever the app has (Electron's safeStorage, a hardware token): it wraps 32 bytes and unwraps them again. */
import type { Unlock } from './unlock.ts'

export interface CustomUnlock {
  wrap(deviceKey: Uint8Array): Uint8Array | Promise<Uint8Array>
  /** Undefined, or throwing, when it does not open. */
  unwrap(wrapped: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>
}

export function custom({ wrap, unwrap }: CustomUnlock): Unlock {
  return {
    kind: 'custom',
    wrap: async deviceKey => Uint8Array.from(await wrap(Uint8Array.from(deviceKey))),
    unwrap: async wrapped => unwrap(Uint8Array.from(wrapped)),
  }
}
