/** Who is named for what: relays that were set back, or show somebody an old state, and no others. */
import type { Day } from './day.ts'
import { converge } from './evening.ts'

/** When everything is quiet, so that there is something to lose. */
export async function checkNames(day: Day): Promise<void> {
  const { relays, random, timeline, oracle } = day
  for (const relay of relays.all) {
    const kinds = [...(relays.named.get(relay.id) ?? [])]
    if (relay.isBlameless() && kinds.length > 0) oracle.violate('relay named', `${relay.name} did nothing and is named: ${kinds.join()}`)
  }
  await findLiar(day)
  const [relay] = relays.all
  if (relay === undefined || relay.manners.manner !== 'honest' || random.chance(0.5)) return
  // What it was in the morning, or at its last backup.
  const before = await timeline.during(relay.fingerprint())
  relays.links.cutAllOf(relay)
  relays.named.delete(relay.id)
  await relay.setBack()
  timeline.note(`${relay.name} is set back in the evening`)
  const isLess = (await timeline.during(relay.fingerprint())) !== before
  await timeline.clock.advance(NOTICED_MS)
  if (isLess && !relays.named.get(relay.id)?.has('lost')) oracle.violate('relay named', `${relay.name} lost something and nobody says so`)
  await converge(day, 'after a relay was set back')
}

/**
 * One device is shown yesterday's state, all of it in order in itself, while the others work and the relay confirms what they bring. When
 * they meet, it hears what the relay had long had by then.
 */
async function findLiar(day: Day): Promise<void> {
  const { devices, network, relays, people, random, timeline, oracle } = day
  const [relay] = relays.all
  const [deceived, worker] = [devices[0], devices[1]?.process()]
  if (relay?.manners.manner !== 'honest' || deceived === undefined || worker === undefined || relays.all.length > 1 || random.chance(0.6))
    return
  await timeline.during(relay.remember())
  relays.links.cutAllOf(deceived)
  await relay.deceive(deceived.id)
  network.scatter()
  timeline.note(`${relay.name} deceives ${deceived.name} while ${worker.device.name} works`)
  await timeline.during(people.begin(worker))
  await timeline.clock.advance(LONG_HELD_MS)
  network.reunite()
  await timeline.clock.advance(FOUND_OUT_MS)
  if (!relays.named.get(relay.id)?.has('withholds'))
    oracle.violate('relay named', `${relay.name} deceived ${deceived.name} and nobody says so`)
  relay.undeceive()
  relays.links.cutAllOf(deceived)
  await converge(day, 'after a relay deceived somebody')
}

/** The next conversation shows it. */
const NOTICED_MS = 30_000
/** A minute to the next heartbeat, and two until it says what the relay had. */
const LONG_HELD_MS = 5 * 60_000
/** Two of grace, and a minute between looks. */
const FOUND_OUT_MS = 5 * 60_000
