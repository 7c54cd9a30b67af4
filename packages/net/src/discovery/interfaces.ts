/** The machine's own private IPv4 addresses, and word when they change: Node has no event for that, so they are looked at every 5 s. */
import { networkInterfaces } from 'node:os'
import { SECOND_MS } from '@segue/core/sealed'
import type { Clock } from '@segue/core/ports'
import { isPrivateAddress } from '../private-addresses.ts'

/** One address per interface, loopback left out. */
export function privateInterfaces(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return all
    .filter(({ family, internal, address }) => family === 'IPv4' && !internal && isPrivateAddress(`/ip4/${address}`))
    .map(({ address }) => address)
}

/** Calls `onChange` after the set of addresses changed. Returns the stop function. */
export function watchInterfaces(options: { clock: Clock; onChange: () => void }): () => void {
  let before = fingerprint()
  let cancel: () => void = () => undefined
  const look = (): void => {
    const now = fingerprint()
    if (now !== before) {
      before = now
      options.onChange()
    }
    cancel = options.clock.after(LOOK_MS, look)
  }
  cancel = options.clock.after(LOOK_MS, look)
  return () => cancel()
}

const LOOK_MS: number = 5 * SECOND_MS

function fingerprint(): string {
  return [...privateInterfaces()].sort().join(' ')
}
