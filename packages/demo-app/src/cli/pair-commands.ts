/** pair new, pair join. */
import { readFile, writeFile } from 'node:fs/promises'
import { isSegueError, readQrImage, SegueError } from '@segue/engine/client'
import type { Command } from 'commander'
import { UsageError, connectToDaemon, type DaemonClient } from '../client/daemon-client.ts'
import { unreadable, unwritable } from '../client/text-file.ts'
import { askLine } from './ask.ts'
import { askPassphrase } from './confirm.ts'
import { action, type CliContext } from './context.ts'
import { stopDaemon } from './daemon-commands.ts'
import { adoptedLines, mayAdopt, type AdoptedRow } from './adoption-dialogue.ts'
import { startAfresh } from './fresh-start.ts'
import { shortId } from './output.ts'
import { startDaemon } from './start-daemon.ts'

interface NearbyRow {
  readonly id: string
  readonly name: string
  /** Of those waiting: through a relay. */
  readonly isRemote?: boolean
}

export function addPairCommands(program: Command): void {
  const pair = program.command('pair').description('let a device in, or join')
  pair
    .command('new')
    .description('show a QR code for the other device, then type the digits that it shows')
    .option('--minutes <minutes>', 'how long the code lives, at most 10', '2')
    .option('--png <file>', 'also write the QR code as a picture')
    .option('--no-remote', 'let nobody in who is on another network, also where a relay is linked')
    .addHelpText(
      'after',
      '\nWith --json the invitation ({text, expiresAt}) is a line on stderr, and the digits are read from stdin. For a device on another' +
        '\nnetwork a line {remote: {id, name}} follows, and "yes" is read from stdin before its digits count. Where this device has a passphrase, that is read after the digits.',
    )
    .action(action<[InviteOptions]>(pairNew))
  pair
    .command('join')
    .description('join the group of a device nearby; or of the one whose text or picture you have')
    .argument('[text]', 'what `segue pair new` shows; - or a pipe: read from stdin. It is worth nothing without the digits')
    .option('--image <file>', 'a picture (PNG or JPEG) of the QR code')
    .option('--adopt', 'bring along what this device has of its own, without asking: for scripts')
    .option('--fresh', 'on a device that was removed from its group: start afresh without asking')
    .option('--nearby', 'choose among devices nearby, also where stdin is no terminal')
    .addHelpText(
      'after',
      '\nWith --json the digits ({code}) are a line on stderr. On a device with work of its own what comes along is a line before ({adoption}), and' +
        '\n"yes" is read from stdin; --adopt says it beforehand.',
    )
    .action(action<[string | undefined, JoinOptions]>(pairJoin))
}

interface InviteOptions {
  readonly minutes: string
  readonly png?: string
  readonly remote: boolean
}

interface JoinOptions {
  readonly adopt?: boolean
  readonly image?: string
  readonly fresh?: boolean
  readonly nearby?: boolean
}

interface PairedDevice {
  readonly device: { readonly id: string; readonly name: string }
}

async function pairNew(context: CliContext, options: InviteOptions): Promise<void> {
  const { daemon, output, signal } = context
  const minutes = Number(options.minutes)
  if (!(minutes > 0 && minutes <= 10)) throw new UsageError('--minutes takes a number up to 10.')
  const client = await daemon()
  const over = new AbortController()
  const seen = new Set<string>()
  let asking: Promise<void> = Promise.resolve()
  const onEvent = (event: Readonly<Record<string, unknown>>): void => {
    if (event['type'] === 'invitation') {
      showInvitation(context, event, options.png).catch((error: unknown) => output.error(error))
    }
    const waiting = event['waiting']
    if (event['type'] !== 'state' || !Array.isArray(waiting)) return
    for (const device of waiting as readonly NearbyRow[]) {
      if (!seen.has(device.id) && device.isRemote === true) output.warning(`REMOTE: “${device.name}” wants to join, from another network.`)
      else if (!seen.has(device.id)) output.note(`“${device.name}” wants to join.`)
      if (seen.size === 0) {
        asking = askForCode(client, output, over.signal)
        asking.catch(() => undefined) // it may end before the call does, which is when what it says is looked at
      }
      seen.add(device.id)
    }
  }
  try {
    const result = await client.call<PairedDevice>(
      'pair.new',
      { minutes, remote: options.remote },
      { signal: AbortSignal.any([signal, over.signal]), onEvent },
    )
    output.data(
      { ...result },
      () => `“${result.device.name}” (${shortId(result.device.id)}) is in your group; your other devices are told.`,
    )
  } finally {
    over.abort()
    await asking.catch((error: unknown) => {
      if (!isSegueError(error, 'CANCELLED')) output.note(error instanceof Error ? error.message : String(error))
    })
  }

  /** The person gave up: so does the invitation. */
  async function askForCode(...parts: Parameters<typeof askUntilRight>): Promise<void> {
    try {
      await askUntilRight(...parts)
    } catch (error) {
      if (over.signal.aborted) return
      over.abort()
      throw error
    }
  }
}

async function showInvitation({ output }: CliContext, event: Readonly<Record<string, unknown>>, png: string | undefined): Promise<void> {
  output.event({ text: event['text'], expiresAt: event['expiresAt'] })
  output.drawing(String(event['terminal']))
  output.note('On the new device run  segue pair join  and choose this one; or scan the code; or paste:\n')
  output.note(`  ${String(event['text'])}\n`)
  output.note('It will show six digits, to be typed here. Only admit a device that you are looking at.')
  if (png === undefined) return
  await writeFile(png, Buffer.from(String(event['png']), 'base64'), { mode: 0o600 }).catch((error: unknown) => {
    throw unwritable(png, error)
  })
}

async function askUntilRight(client: DaemonClient, output: CliContext['output'], signal: AbortSignal): Promise<void> {
  for (;;) {
    const code = await askLine('Digits that the new device shows:', { signal })
    if (code === undefined) return // nobody is there to answer: it expires by itself
    const { outcome: first, confirmed } = await confirmWithPassphrase(client, output, code)
    let outcome = first
    if (outcome.code === 'PAIRING_REMOTE' && outcome.device !== undefined) {
      if (!(await askAboutRemote(outcome.device, output, signal))) continue
      outcome = await client.call<ConfirmResult>('pair.confirm', { code, ...confirmed, mayBeRemote: true })
    }
    if (outcome.ok || outcome.code !== 'PAIRING_WRONG_CODE') return
    const left = outcome.triesLeft ?? 0
    output.note(`Those digits match no waiting device. ${left} ${left === 1 ? 'try' : 'tries'} left.`)
  }
}

interface ConfirmResult {
  readonly ok: boolean
  readonly code?: string
  readonly triesLeft?: number
  readonly device?: NearbyRow
}

/** With the passphrase where this device has one; elsewhere the digits are the typed confirmation. */
async function confirmWithPassphrase(
  client: DaemonClient,
  output: CliContext['output'],
  code: string,
): Promise<{ readonly outcome: ConfirmResult; readonly confirmed: Readonly<Record<string, unknown>> }> {
  for (;;) {
    const confirmed = { ...(await askPassphrase(client)) }
    try {
      return { outcome: await client.call<ConfirmResult>('pair.confirm', { code, ...confirmed }), confirmed }
    } catch (error) {
      if (!isSegueError(error, 'CONFIRMATION_WRONG') || process.env['SEGUE_PASSPHRASE_FILE'] !== undefined) throw error
      output.note(error.message)
    }
  }
}

/** The digits are right; what they do not say is where the device is, and who holds it. */
async function askAboutRemote(device: NearbyRow, output: CliContext['output'], signal: AbortSignal): Promise<boolean> {
  output.event({ remote: { id: device.id, name: device.name } })
  output.warning(`\nREMOTE: “${device.name}” (${shortId(device.id)}) is not on this network. It will read everything in your group.`)
  output.note('Admit it only if it is in your hands, or in those of somebody you are speaking to right now.')
  const answer = await askLine('Type yes to admit it:', { signal })
  if (/^yes$/i.test(answer ?? '')) return true
  output.note('Not admitted.')
  return false
}

async function pairJoin(context: CliContext, text: string | undefined, options: JoinOptions): Promise<void> {
  const { output, signal } = context
  const { client, setAside } = await joiningClient(context, options.fresh === true)
  const adopt = await mayAdopt(client, output, options.adopt === true)
  const invitation = await invitationOf(context, client, text, options)
  output.progress('connecting…')
  const onEvent = (event: Readonly<Record<string, unknown>>): void => {
    if (event['type'] !== 'code') return
    const code = String(event['code'])
    output.event({ code })
    output.note(`\n  ${code.slice(0, 3)} ${code.slice(3)}\n\nType these digits on the other device.`)
    output.progress('waiting for the other device…')
  }
  const joined = await client.call<{ readonly inviter: string; readonly adopted?: AdoptedRow }>(
    'pair.join',
    { ...invitation, adopt },
    { signal, onEvent },
  )
  output.data({ ...joined, ...(setAside === undefined ? {} : { setAside }) }, () => [
    'Joined. Your sessions arrive now: segue session list',
    ...(joined.adopted === undefined ? [] : adoptedLines(joined.adopted)),
  ])
}

/** Of a device that was removed from its group: once it is a new one. */
async function joiningClient(
  context: CliContext,
  isAgreed: boolean,
): Promise<{ readonly client: DaemonClient; readonly setAside: string | undefined }> {
  const client = await context.daemon()
  const { status } = await client.call<{ readonly status?: { readonly removed?: object } }>('status')
  if (status?.removed === undefined) return { client, setAside: undefined }
  const setAside = await startAfresh(context, client, isAgreed, {
    stop: stopDaemon,
    start: async () => void (await startDaemon(context)),
  })
  return { client: await connectToDaemon(context.paths.runtime), setAside }
}

type InvitationParams = { readonly text: string } | { readonly nearby: string }

async function invitationOf(
  context: CliContext,
  client: DaemonClient,
  text: string | undefined,
  { image, nearby = process.stdin.isTTY }: JoinOptions,
): Promise<InvitationParams> {
  if (image !== undefined) return { text: await readQrImage(new Uint8Array(await readPicture(image))) }
  if (text !== undefined && text !== '-') return { text }
  if (text === undefined && nearby) return chooseNearby(context, client)
  return { text: (await askLine('Pairing text:')) ?? '' }
}

function readPicture(file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw unreadable(file, error)
  })
}

const LOOK_MS = 8_000
/** Once one is found, others get so long to be found too. */
const LOOK_ON_MS = 700

/** Looks around for a few seconds, or until something is there, and lets the person choose. Where nothing is, asks for the text. */
async function chooseNearby({ output, signal }: CliContext, client: DaemonClient): Promise<InvitationParams> {
  output.progress('looking for devices nearby that have pairing open…')
  const looked = new AbortController()
  const timer = setTimeout(() => looked.abort(), LOOK_MS)
  let found: readonly NearbyRow[] = []
  const onEvent = (event: Readonly<Record<string, unknown>>): void => {
    found = (event['devices'] ?? []) as readonly NearbyRow[]
    if (found.length > 0) setTimeout(() => looked.abort(), LOOK_ON_MS)
  }
  try {
    await client.call('pair.nearby', {}, { signal: AbortSignal.any([signal, looked.signal]), onEvent })
  } catch (error) {
    if (!looked.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  if (found.length === 0) {
    output.note(new SegueError('PAIRING_NOBODY_NEARBY').message)
    const text = await askLine('Or paste the text that it shows:')
    if (text === undefined || text === '') throw new SegueError('PAIRING_NOBODY_NEARBY')
    return { text }
  }
  return { nearby: await choose(found, output) }
}

async function choose(found: readonly NearbyRow[], output: CliContext['output']): Promise<string> {
  const [only] = found
  if (only !== undefined && found.length === 1) {
    const answer = await askLine(`“${only.name}” (${shortId(only.id)}) has pairing open. Join it? [Y/n]`)
    if (/^(y|yes|)$/i.test(answer ?? 'no')) return only.id
    throw new SegueError('CANCELLED')
  }
  found.forEach((device, i) => output.note(`  ${i + 1}  ${device.name}  ${shortId(device.id)}`))
  const chosen = found[Number(await askLine(`Which one? [1-${found.length}]`)) - 1]
  if (chosen === undefined) throw new UsageError(`Type a number from 1 to ${found.length}.`)
  return chosen.id
}
