/** `npm run demo` on real input: what it proves, what it refuses, and what it prints for scripts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { runSegue } from './segue-process.ts'
import { createTemporaryHomes } from './temporary-homes.ts'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const homes = createTemporaryHomes()
afterAll(() => homes.remove())

interface Played {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function play(...args: readonly string[]): Promise<Played> {
  const child = spawn(process.execPath, [path.join(ROOT, 'packages/demo-app/dist/demo/main.js'), ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? -1, stdout, stderr }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const number = expect.any(Number)
const REPORT = {
  schemaVersion: 1,
  ok: true,
  pairing: { ms: number },
  edit: { p50Ms: number, p99Ms: number },
  handoff: {
    outcome: 'done',
    milestones: ['authentication', 'transfer', 'merge', 'verification'].map(name => ({ name, ms: number })),
    bytes: number,
  },
  document: { sha256Source: expect.stringMatching(/^[0-9a-f]{64}$/), sha256Target: expect.stringMatching(/^[0-9a-f]{64}$/) },
  restored: { views: 2, cursor: true, draft: true, preferences: true },
  conflict: { found: 1, resolved: 1 },
  reverted: true,
}

test('with the README: one JSON document of the promised shape, the story on stderr, exit 0', async () => {
  const { code, stdout, stderr } = await play('--json')
  expect([code, stdout.trim().split('\n').length], stderr).toEqual([0, 1])
  expect(JSON.parse(stdout)).toEqual(REPORT)
  expect(stderr).toContain('What was proven')
}, 120_000)

const START = '👩‍👩‍👧 שלום\n'
const TYPED = ['م', '🏳️‍🌈', 'e\u0301', '\u202Eabc\u202C', '𝔘']
const PATCHES = Array.from({ length: 500 }, (_, i) => [i % 3, 0, TYPED[i % TYPED.length] as string] as const)
const END = PATCHES.reduce(
  (text, [at, , inserted]) => [...text.slice(0, at), ...Array.from(inserted), ...text.slice(at)],
  Array.from(START),
).join('')

let recorded: Promise<Played> | undefined
/** One demo for the two tests after it. */
function playRecording(): Promise<Played> {
  const recording = { startContent: START, endContent: END, txns: PATCHES.map(patch => ({ time: '', patches: [patch] })) }
  return (recorded ??= play('--json', '--relay', '--trace', homes.file('typing.json.gz', gzipSync(JSON.stringify(recording)))))
}

test('a recorded session of emoji and right-to-left text is replayed to its recorded end', async () => {
  const { code, stdout, stderr } = await playRecording()
  expect(code, stderr).toBe(0)
  const report = JSON.parse(stdout) as typeof REPORT
  expect(report).toMatchObject(REPORT)
  expect(report.document.sha256Target).toBe(sha256(END))
}, 180_000)

test('with a relay: handed to a device that sleeps and taken from one, with what the relay keeps and the age of the state', async () => {
  const { code, stdout, stderr } = await playRecording()
  expect(code, stderr).toBe(0)
  const relay = { storedBytes: number, path: 'mailbox', ageMs: number, toSleeper: 'done', fromSleeper: 'done', isSameText: true }
  const report = JSON.parse(stdout) as typeof REPORT & { readonly relay: { readonly storedBytes: number; readonly ageMs: number } }
  expect(report).toEqual({ ...REPORT, relay })
  expect(report.relay.storedBytes).toBeGreaterThan(10_000)
  expect(report.relay.ageMs).toBeGreaterThanOrEqual(0)
}, 180_000)

test.each([
  ['a file over 1 MiB', 'large.txt', 'x'.repeat(1024 * 1024 + 1), 'DOCUMENT_TOO_LARGE'],
  ['a file that is not text', 'binary', new Uint8Array([0xff, 0xd8, 0xff]), 'DOCUMENT_NOT_TEXT'],
])('%s is refused with the reason before anything starts', async (_, name, content, errorCode) => {
  const { code, stdout, stderr } = await play('--json', '--file', homes.file(name, content))
  expect([code, JSON.parse(stdout)]).toEqual([1, { schemaVersion: 1, ok: false, error: { code: errorCode, message: expect.any(String) } }])
  expect(stderr).not.toContain('Two devices start')
})

test('an empty file; --keep leaves both devices running and says how to talk to them', async () => {
  const { code, stdout, stderr } = await play('--json', '--keep', '--file', homes.file('empty.txt', ''))
  const kept = [...stderr.matchAll(/SEGUE_HOME=(\S+) node/g)].map(match => ({ home: match[1] as string }))
  try {
    expect([code, kept.length], stderr).toEqual([0, 2])
    expect(JSON.parse(stdout)).toEqual(REPORT)
    for (const shell of kept) {
      const { stdout } = await runSegue(shell, '--json', 'devices')
      expect((JSON.parse(stdout) as { devices: readonly unknown[] }).devices).toHaveLength(2)
    }
  } finally {
    await Promise.all(kept.map(shell => runSegue(shell, 'down')))
  }
  expect(kept.map(({ home }) => existsSync(path.join(home, 'daemon.json')))).toEqual([false, false])
  expect(readFileSync(path.join(kept[0]?.home ?? '', 'config.json'), 'utf8')).toContain('Laptop')
}, 120_000)
