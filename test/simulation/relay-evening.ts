/** What must hold of relays at the end of a day, and what devices that are never awake together hold by then. */
import type { Day } from './day.ts'
import { deletedFor } from './deletion-world.ts'
import { HEAL_MS, lackingOn } from './evening.ts'
import { comeBack, goToSleep, wake } from './relay-day.ts'
import type { Relay } from './relay.ts'

/** Relays are up, show everybody the same, and are honest; the stubborn go on as they were. */
export async function healRelays(day: Day): Promise<void> {
  const { relays } = day
  for (const relay of relays.all) {
    relay.failDisk(false)
    relay.undeceive()
    relays.links.cutAllOf(relay) // who was shown an old state dials again
    if (!relay.isUp()) await comeBack(day, relay)
    if (!relays.stubborn.has(relay)) relay.manners.manner = 'honest'
  }
}

/** [I3] One after the other they are awake for a while, three times round: then nothing acknowledged is missing on any of them. */
export async function takeTurns(day: Day): Promise<void> {
  const { devices, relays, timeline, oracle } = day
  const { clock } = timeline
  let isOver = false
  const redial = (): void => {
    relays.links.dial(1)
    if (!isOver) clock.after(REDIAL_MS, redial)
  }
  redial()
  for (const device of devices) {
    device.offByMs = 0
    await goToSleep(day, device)
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const device of devices) {
      const process = await wake(day, device)
      await clock.advance(HEAL_MS)
      if (round === ROUNDS - 1) {
        const gone = deletedFor(process)
        const owed = oracle.acknowledged.filter(({ document }) => !gone.has(document))
        const lacking = await timeline.during(lackingOn(process, owed))
        if (lacking.length > 0) oracle.violate('I3', `${device.name}, never awake with another, lacks ${lacking.join(' ')}`)
      }
      await goToSleep(day, device)
    }
  }
  isOver = true
}

/**
 * [I1] Every device is linked to every relay that is honest, and both know that they hold the same. Where groups leave mailboxes, what is
 * confirmed begins anew with the new one: there it is asked for last.
 */
export function areRelaysInStep({ kind, devices, relays }: Day): boolean {
  return devices.every(device =>
    honest(relays.all).every(relay => {
      const sync = device.process()?.runtime.replica.peers.peek().get(relay.id)
      return (
        relays.links.isLinked(device, relay) &&
        sync?.state === 'in-sync' &&
        sync.behind === 0 &&
        (kind === 'trust' || sync.unconfirmed === 0)
      )
    }),
  )
}

/** What relays hold, and what their bytes show. */
export async function checkRelays({ devices, relays, timeline, oracle }: Day): Promise<void> {
  const fingerprint = devices[0]?.process()?.runtime.replica.fingerprint()
  for (const relay of relays.all) {
    const held = await timeline.during(relay.fingerprint())
    if (relay.manners.manner === 'honest' && held !== fingerprint) oracle.violate('I1', `${relay.name} does not hold what devices hold`)
    for (const bytes of await relay.bytes()) relays.look(bytes, relay.name)
  }
}

function honest(relays: readonly Relay[]): readonly Relay[] {
  return relays.filter(relay => relay.manners.manner === 'honest')
}

const ROUNDS = 3
const REDIAL_MS = 500
