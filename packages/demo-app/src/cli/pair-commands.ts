/** pair new, pair join. */
import { readFile, writeFile } from 'node:fs/promises'
import { readQrImage, SegueError } from '@segue/engine'
import type { Command } from 'commander'
import type { DaemonClient } from '../client/daemon-client.ts'
import { UsageError } from '../client/daemon-client.ts'
import { askLine } from './ask.ts'
import { action, type CliContext } from './context.ts'
import { shortId } from './output.ts'

interface NearbyRow {
  readonly id: string
  readonly name: string
}

export function addPairCommands(program: Command): void {
  const pair = program.command('pair').description('let a device in, or join')
  pair
    .command('new')
    .description('show a QR code for the other device, then type the digits that it shows')
    .option('--minutes <minutes>', 'how long the code lives, at most 10', '2')
    .option('--png <file>', 'also write the QR code as a picture')
    .action(action<[{ readonly minutes: string; readonly png?: string }]>(pairNew))
  pair
    .command('join')
    .description('join the group of a device nearby; or paste its text (an argument, or - for stdin)')
    .argument('[text]', 'the text that `segue pair new` shows; it is worth nothing without the digits')
    .option('--image <file>', 'a picture (PNG or JPEG) of the QR code')
    .option('--nearby', 'choose among devices nearby, also when stdin is no terminal')
    .action(action<[string | undefined, JoinOptions]>(pairJoin))
}

async function pairNew({ daemon, output, signal }: CliContext, options: { readonly minutes: string; readonly png?: string }): Promise<void> {
  const minutes = Number(options.minutes)
  if (!(minutes > 0 && minutes <= 10)) throw new UsageError('--minutes takes a number up to 10')
  const client = await daemon()
  let asking: Promise<void> | undefined
  const result = await client.call<{ readonly device: { readonly id: string; readonly name: string } }>(
    'pair.new',
    { minutes },
    {
      signal,
      onEvent(event) {
        if (event['type'] === 'invitation') void show(event)
        const waiting = event['waiting']
        if (event['type'] === 'state' && Array.isArray(waiting) && waiting.length > 0) {
          for (const device of waiting as readonly NearbyRow[]) output.note(`“${device.name}” wants to join.`)
          asking ??= askForCode(client, output).finally(() => (asking = undefined))
          asking.catch((error: unknown) => output.error(error))
        }
      },
    },
  )
  output.data({ ...result }, () => `“${result.device.name}” (${shortId(result.device.id)}) is in your group. Every device of yours is told.`)

  async function show(event: Readonly<Record<string, unknown>>): Promise<void> {
    if (options.png !== undefined) await writeFile(options.png, Buffer.from(String(event['png']), 'base64'), { mode: 0o600 })
    if (output.isJson) process.stderr.write(`${JSON.stringify({ text: event['text'], expiresAt: event['expiresAt'] })}\n`)
    output.note(String(event['terminal']))
    output.note('On the new device: segue pair join, then choose this device; or scan this; or paste:\n')
    output.note(`  ${String(event['text'])}\n`)
    output.note('Only admit a device that you are looking at. It will show six digits.')
  }
}

async function askForCode(client: DaemonClient, output: CliContext['output']): Promise<void> {
  for (;;) {
    const code = await askLine('Digits that the new device shows:')
    const outcome = await client.call<{ readonly ok: boolean; readonly code?: string; readonly triesLeft?: number }>('pair.confirm', { code })
    if (outcome.ok || outcome.code !== 'PAIRING_WRONG_CODE') return
    output.note(`Those digits match no waiting device. ${outcome.triesLeft ?? 0} tries left.`)
    if ((outcome.triesLeft ?? 0) === 0) return
  }
}

interface JoinOptions {
  readonly image?: string
  readonly nearby?: boolean
}

async function pairJoin(context: CliContext, text: string | undefined, options: JoinOptions): Promise<void> {
  const { daemon, output, signal } = context
  const client = await daemon()
  const source = await sourceOf(context, client, text, options)
  const { inviter } = await client.call<{ readonly inviter: string }>(
    'pair.join',
    { source },
    {
      signal,
      onEvent(event) {
        if (event['type'] !== 'code') return
        const code = String(event['code'])
        if (output.isJson) process.stderr.write(`${JSON.stringify({ code })}\n`)
        output.note(`\n  ${code.slice(0, 3)} ${code.slice(3)}\n\nType these digits on the other device.`)
      },
    },
  )
  output.data({ inviter }, () => 'Joined. Your sessions arrive now: segue session list')
}

async function sourceOf(context: CliContext, client: DaemonClient, text: string | undefined, { image, nearby }: JoinOptions): Promise<string> {
  if (image !== undefined) return readQrImage(new Uint8Array(await readFile(image)))
  if (nearby === true) return chooseNearby(context, client)
  if (text === '-' || (text === undefined && !process.stdin.isTTY)) return askLine('Pairing text:')
  return text ?? chooseNearby(context, client)
}

const LOOK_MS = 5_000

/** Looks around for a few seconds, or until something is there, and lets the person choose. */
async function chooseNearby({ output, signal }: CliContext, client: DaemonClient): Promise<string> {
  output.note('Looking for devices nearby that have pairing open…')
  const looked = new AbortController()
  const timer = setTimeout(() => looked.abort(), LOOK_MS)
  let found: readonly NearbyRow[] = []
  try {
    await client.call(
      'pair.nearby',
      {},
      {
        signal: AbortSignal.any([signal, looked.signal]),
        onEvent(event) {
          found = (event['devices'] ?? []) as readonly NearbyRow[]
          if (found.length > 0) setTimeout(() => looked.abort(), 500)
        },
      },
    )
  } catch (error) {
    if (!looked.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  if (found.length === 0) throw new SegueError('PAIRING_NOBODY_NEARBY')
  found.forEach((device, i) => output.note(`  ${i + 1}  ${device.name}  ${shortId(device.id)}`))
  const answer = found.length === 1 ? await askLine('Join it? [Y/n]') : await askLine(`Which one? [1-${found.length}]`)
  const index = found.length === 1 ? (/^(y|yes|)$/i.test(answer) ? 0 : -1) : Number(answer) - 1
  const chosen = found[index]
  if (chosen === undefined) throw new UsageError('Nothing chosen.')
  return chosen.id
}
