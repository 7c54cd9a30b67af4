/** Who is named for what: relays that were set back, or show nothing of what they took, and no others. */
import type { Day } from './day.ts'
import { converge } from './evening.ts'

/** When everything is quiet, so that there is something to lose. */
export async function checkNames(day: Day): Promise<void> {
  const { relays, random, timeline, oracle } = day
  for (const relay of relays.all) {
    const kinds = [...(relays.named.get(relay.id) ?? [])]
    if (relay.isBlameless() && kinds.length > 0) oracle.violate('relay named', `${relay.name} did nothing and is named: ${kinds.join()}`)
  }
  await findSilent(day)
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

/** Devices that meet tell each other what the relay had: it takes what they bring and never says a word of it. */
async function findSilent({ devices, relays, people, random, timeline, oracle }: Day): Promise<void> {
  const silent = relays.all.filter(relay => relay.manners.manner === 'mute')
  if (silent.length === 0) return
  const process = random.pick(devices).process()
  if (process === undefined) return
  await timeline.during(people.begin(process))
  await timeline.clock.advance(FOUND_OUT_MS)
  for (const relay of silent) {
    if (!relays.named.get(relay.id)?.has('withholds')) oracle.violate('relay named', `${relay.name} shows nothing and nobody says so`)
  }
}

/** The next conversation shows it. */
const NOTICED_MS = 30_000
/** A minute to the next heartbeat, two until it says what the relay had, two of grace, and a minute between looks. */
const FOUND_OUT_MS = 10 * 60_000
