/**
 * `npm run demo`: the main job on real input. Two devices as two processes on 127.0.0.1 pair, synchronise and hand a session over; they edit
 * the same place while apart, resolve the conflict and revert a change. Exit 0 only if all of it held.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isSegueError, textOfFile } from '@segue/engine/client'
import { Command } from 'commander'
import colors from 'picocolors'
import { readTextFile } from '../client/text-file.ts'
import { programFile } from '../programs.ts'
import { createDemoDevice, demoHomes, type DemoDevice } from './device.ts'
import { DEMO_SCHEMA_VERSION, proofsOf, type DemoReport } from './report.ts'
import * as relayScenes from './relay-scenes.ts'
import { startDemoRelay } from './relay.ts'
import * as scenes from './scenes.ts'
import { readTrace, type Trace } from './trace.ts'

interface DemoOptions {
  readonly file: string
  readonly trace?: string
  readonly json?: boolean
  readonly keep?: boolean
  readonly relay?: boolean
}

const options = new Command('npm run demo --')
  .description('Two devices pair, synchronise, hand a session over, and put things right.')
  .option('--file <path>', 'the text file that becomes a document', 'README.md')
  .option('--trace <path>', 'replay a recorded editing session (gzipped JSON) as the edits, and check where it ends')
  .option('--json', 'one JSON document on stdout (npm run --silent demo -- --json keeps npm’s own lines out)')
  .option('--relay', 'start a relay as well, and hand over to and from a device that sleeps')
  .option('--keep', 'leave both devices running, and say how to talk to them')
  .parse()
  .opts<DemoOptions>()

const ROUNDS = 200
const say = (line: string): void => void process.stderr.write(`${line}\n`)
const scene = (title: string): void => say(colors.bold(`\n${title}`))

try {
  process.exitCode = (await demo()) ? 0 : 1
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  say(colors.red(`\nThe demo could not go on: ${message}`))
  if (options.json === true) {
    const code = isSegueError(error) ? error.code : 'FAILED'
    process.stdout.write(`${JSON.stringify({ schemaVersion: DEMO_SCHEMA_VERSION, ok: false, error: { code, message } })}\n`)
  }
  process.exitCode = 1
}

async function demo(): Promise<boolean> {
  const trace = options.trace === undefined ? undefined : await readTrace(options.trace)
  const content = trace === undefined ? await readTextFile(options.file) : new TextEncoder().encode(trace.startContent)
  textOfFile(content) // refused before anything is started
  const root = await mkdtemp(path.join(tmpdir(), 'segue-demo-'))
  const homes = demoHomes(root)
  const devices: DemoDevice[] = []
  try {
    scene('Two devices start')
    const lifetime = options.keep === true ? 'own' : 'starter'
    devices.push(await createDemoDevice('Laptop', homes.laptop, lifetime), await createDemoDevice('Desk', homes.desk, lifetime))
    const [laptop, desk] = devices as [DemoDevice, DemoDevice]
    const { session, ...report } = await play(laptop, desk, content, trace)
    if (options.relay !== true) return conclude(report)
    return conclude({ ...report, relay: await playWithRelay(laptop, desk, session, path.join(root, 'relay')) })
  } finally {
    if (options.keep === true) sayHowToGoOn(devices)
    else {
      await Promise.all(devices.map(device => device.stop()))
      await rm(root, { recursive: true, force: true })
    }
  }
}

async function play(laptop: DemoDevice, desk: DemoDevice, content: Uint8Array, trace: Trace | undefined): Promise<Played> {
  scene('They pair: the laptop draws a QR code into a picture, the desk reads it, its digits are typed on the laptop')
  const pairing = await scenes.pairByPicture(laptop, desk)
  say(`  paired in ${pairing.ms} ms`)

  const name = path.basename(options.trace ?? options.file)
  scene(`${name} (${content.length} bytes) becomes a document: two views, a cursor, a draft, a preference`)
  const work = await scenes.setUpWork(laptop.client(), name, content)
  const { session } = work
  await scenes.inSync(laptop, desk)
  if ((await scenes.sha256Of(desk.client(), session)) !== scenes.sha256(content))
    throw new Error('the imported file is not the same on the desk')

  scene(
    trace === undefined
      ? 'Letters are typed on the laptop, and followed on the desk'
      : `${trace.patches.length} recorded edits, followed on the desk`,
  )
  const edit =
    trace === undefined
      ? await scenes.typeAndFollow(laptop.client(), desk.client(), work, ROUNDS)
      : await scenes.replayAndFollow(laptop.client(), desk.client(), session, trace.patches, showShare)
  say(`  change to visible on the other device: p50 ${edit.p50Ms} ms, p99 ${edit.p99Ms} ms (through both daemons’ HTTP)`)
  if (trace !== undefined) await checkEnd(trace, laptop, desk, session)

  scene('The laptop hands the session over')
  const cursor = await scenes.cursorOf(laptop.client(), work)
  const handoff = await scenes.handOver(laptop.client(), desk.client(), session, desk.name, (milestone, ms) =>
    say(`  ${colors.green('✓')} ${milestone.padEnd(14)} ${ms} ms`),
  )
  const document = {
    sha256Source: await scenes.sha256Of(laptop.client(), session),
    sha256Target: await scenes.sha256Of(desk.client(), session),
  }
  const restored = await scenes.lookAtRestored(desk.client(), work, cursor)
  say(`  ${handoff.outcome}: ${restored.views} views, the cursor, the draft and the preference are on the desk`)

  scene('Both edit the same place while the other is off, and meet again')
  await scenes.editApart(laptop, desk, session)
  const conflict = await scenes.resolveConflicts(desk.client(), laptop.client(), session, found => {
    say(
      `  ${found.ours.authorName ?? 'one'}: ${JSON.stringify(found.ours.excerpt)}   ${found.theirs.authorName ?? 'other'}: ${JSON.stringify(found.theirs.excerpt)}`,
    )
    say(`  suggested: ${found.suggested}`)
  })

  scene('A change is regretted, and reverted as a new change')
  const reverted = await scenes.revertChange(desk.client(), laptop.client(), session)
  return { schemaVersion: DEMO_SCHEMA_VERSION, pairing, edit, handoff, document, restored, conflict, reverted, session }
}

type Played = Omit<DemoReport, 'ok' | 'relay'> & { readonly session: string }

/** The desk drives the session by now. The relay ends with the demo. */
async function playWithRelay(
  laptop: DemoDevice,
  desk: DemoDevice,
  session: string,
  directory: string,
): Promise<NonNullable<DemoReport['relay']>> {
  scene('A relay starts, and the laptop uses its invite')
  const relay = await startDemoRelay(directory)
  try {
    await relayScenes.useRelay(laptop, desk, relay)
    say(`  ${await relay.storedBytes()} sealed bytes are there`)

    scene('The desk hands the session to the laptop, which sleeps')
    const given = await relayScenes.handOverToSleeper(desk, laptop, session, say)

    scene('The desk takes it back from the laptop, which sleeps')
    const taken = await relayScenes.takeFromSleeper(laptop, desk, session)
    say(`  ${taken.fromSleeper}: as it was ${taken.ageMs} ms ago`)
    await laptop.start()
    return { storedBytes: await relay.storedBytes(), ...taken, ...given }
  } finally {
    await relay.stop()
  }
}

async function checkEnd(trace: Trace, laptop: DemoDevice, desk: DemoDevice, session: string): Promise<void> {
  const expected = scenes.sha256(new TextEncoder().encode(trace.endContent))
  for (const device of [laptop, desk]) {
    if ((await scenes.sha256Of(device.client(), session)) !== expected)
      throw new Error(`on ${device.name} the recording does not end as it was recorded`)
  }
  say('  both end exactly as recorded')
}

function showShare(share: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r  ${Math.round(share * 100)} %${share === 1 ? '\n' : ''}`)
}

function conclude(found: Omit<DemoReport, 'ok'>): boolean {
  const proofs = proofsOf(found)
  const ok = proofs.every(proof => proof.holds)
  scene('What was proven')
  for (const { claim, holds } of proofs) say(`  ${holds ? colors.green('✓') : colors.red('✗')} ${claim}`)
  if (options.json === true) {
    const { schemaVersion, ...rest } = found
    const report: DemoReport = { schemaVersion, ok, ...rest }
    process.stdout.write(`${JSON.stringify(report)}\n`)
  } else say(ok ? '\nAll of it is there, checked, and you may close the lid.' : '\nSomething did not hold; see above.')
  return ok
}

function sayHowToGoOn(devices: readonly DemoDevice[]): void {
  scene('Both devices are still running')
  for (const device of devices) say(`  SEGUE_HOME=${device.home} node ${programFile('segue')} status`)
  say('  Instead of status: session list, handoff take, conflicts list SESSION, … --help lists all; down stops it, up starts it again.')
}
