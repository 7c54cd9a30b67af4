/**
 * What npm would publish, as somebody who has never seen this repository gets it: tarballs in an empty folder, without our overrides,
 * without install scripts; the README's first example and the `segue` command on this Node and on Node 24.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../meta/source-files.ts'

const run = promisify(execFile)
const PACKAGES = ['core', 'storage', 'net', 'engine', 'demo-app']
const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

const hasRegistry = spawnSync('npm', ['view', 'commander', 'version'], { stdio: 'ignore', timeout: 20_000 }).status === 0
const asked = spawnSync(process.execPath, ['tools/lib/node-24.mjs'], { cwd: ROOT, encoding: 'utf8' })
const node24 = asked.status === 0 ? asked.stdout.trim() : undefined

/** Each lane: what it is called, its Node, why it is left out. */
const lanes = [
  {
    title: `Node ${process.versions.node}`,
    node: process.execPath,
    missing: hasRegistry ? undefined : 'the package registry cannot be reached',
  },
  {
    title: 'Node 24',
    node: node24 ?? '',
    missing: hasRegistry ? (node24 === undefined ? asked.stdout.trim() : undefined) : 'the package registry cannot be reached',
  },
].map(lane => ({ ...lane, note: lane.missing === undefined ? '' : ` (not run: ${lane.missing})` }))
const registryNote = hasRegistry ? '' : ' (not run: the package registry cannot be reached)'

let folder: string
let app: string
/** Where only the command was installed. */
let shell: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'segue-packages-'))
  app = path.join(folder, 'app')
  shell = path.join(folder, 'shell')
  for (const each of [app, shell]) {
    await mkdir(each)
    await writeFile(path.join(each, 'package.json'), '{ "private": true, "type": "module" }\n')
  }
  await run('npm', ['pack', ...QUIET, ...PACKAGES.map(name => `./packages/${name}`), '--pack-destination', folder], { cwd: ROOT })
  const tarballs = (await readdir(folder)).filter(name => name.endsWith('.tgz')).map(name => path.join(folder, name))
  expect(tarballs).toHaveLength(PACKAGES.length)
  const command = tarballs.filter(file => path.basename(file).includes('demo-app'))
  for (const [cwd, files] of [[app, tarballs] as const, [shell, command] as const]) {
    await run('npm', ['install', ...QUIET, '--prefer-offline', ...files], { cwd })
  }
}, 180_000)

afterAll(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
})

test.skipIf(!hasRegistry)(`what is installed is small and has neither WebRTC nor test tools${registryNote}`, async () => {
  const names = await installedIn(app)
  expect(names.filter(name => /webrtc|react-native|vitest|datachannel/.test(name))).toEqual([])
  const bytes = await sizeOf(path.join(app, 'node_modules'))
  console.log(`installed: ${names.length} packages, ${Math.round(bytes / 1e6)} MB`)
  expect(names.length).toBeLessThan(300)
})

test.skipIf(!hasRegistry)(
  `the command alone brings what has native parts, and the licences of all that is in it${registryNote}`,
  async () => {
    const names = await installedIn(shell)
    expect(names.length).toBeLessThan(30)
    const licenses = await readFile(path.join(shell, 'node_modules/@segue/demo-app/bundle/LICENSES.md'), 'utf8')
    for (const name of ['@chainsafe/libp2p-noise', 'commander', 'tweetnacl']) expect(licenses).toContain(`## ${name} `)
  },
)

test.skipIf(!hasRegistry)(`each package brings its licence, a README and no tests${registryNote}`, async () => {
  for (const name of PACKAGES) {
    const files = await readdir(path.join(app, 'node_modules/@segue', name), { recursive: true })
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']))
    expect(files.filter(file => /\.test\.|\.tsbuildinfo$|test-support/.test(file))).toEqual([])
  }
})

test.skipIf(!hasRegistry)(`a TypeScript app sees the types of everything exported${registryNote}`, async () => {
  await writeFile(path.join(app, 'example.mts'), await readmeExample())
  const others = ['@segue/core/ports', '@segue/engine/client', '@segue/storage/automerge-repo', '@segue/net/automerge-repo']
  await writeFile(path.join(app, 'others.mts'), others.map((name, i) => `export * as n${i} from '${name}'\n`).join(''))
  const options = [
    '--noEmit',
    '--strict',
    '--target',
    'es2023',
    '--lib',
    'es2023,esnext.disposable,dom',
    '--module',
    'nodenext',
    '--types',
    '',
  ]
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc')
  const check = run(process.execPath, [tsc, ...options, 'example.mts', 'others.mts'], { cwd: app })
  const { stdout } = await check.catch((error: { stdout: string }) => error)
  expect(stdout.split('\n').filter(line => /^(example|others|node_modules.@segue)\b/.test(line))).toEqual([])
})

describe.each(lanes)('$title', { timeout: 180_000 }, ({ node, missing, note }) => {
  test.skipIf(missing !== undefined)(`runs the README’s first example${note}`, async () => {
    const here = await mkdtemp(path.join(app, 'example-'))
    await writeFile(path.join(here, 'example.mjs'), await readmeExample())
    const { stdout } = await run(node, ['example.mjs'], { cwd: here })
    const milestones = ['authentication', 'transfer', 'merge', 'verification'].map(milestone => `${milestone} reached`)
    expect(stdout.trim().split('\n')).toEqual([...milestones, 'done'])
  })

  test.skipIf(missing !== undefined)(`runs the installed segue command and its daemon${note}`, async () => {
    const home = await mkdtemp(path.join(folder, 'home-'))
    const PATH = [path.join(shell, 'node_modules/.bin'), path.dirname(node), process.env['PATH']].join(path.delimiter)
    const place = { cwd: home, env: { PATH, SEGUE_HOME: path.join(home, 'segue') } }
    const segue = async (...args: string[]): Promise<string> => (await run('segue', args, place)).stdout
    expect((await segue('--version')).trim()).toBe('0.1.0')
    expect(await segue('--help')).toContain('Usage: segue')
    expect(await exitWithoutReader('segue', ['--help'], place)).toBe(0)
    await segue('up', '--name', 'Laptop', '--keys', 'key-file', '--no-mdns', '--listen', LOOPBACK)
    try {
      const status = JSON.parse(await segue('status', '--json')) as { schemaVersion: number; device: { name: string } }
      expect(status).toMatchObject({ schemaVersion: 1, device: { name: 'Laptop' } })
    } finally {
      await segue('down')
    }
    await expect(segue('status')).rejects.toMatchObject({ code: 3 })
  })
})

async function installedIn(where: string): Promise<readonly string[]> {
  const lock = JSON.parse(await readFile(path.join(where, 'node_modules/.package-lock.json'), 'utf8')) as {
    packages: Record<string, object>
  }
  return Object.keys(lock.packages)
}

/** The README's first example, kept off the network of this machine. */
async function readmeExample(): Promise<string> {
  const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8')
  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  expect(example).toContain('openSegue({ ')
  return example.replaceAll('openSegue({ ', `openSegue({ network: { mdns: false, listen: ['${LOOPBACK}'] }, `)
}

/** As in `command | head -0`. */
async function exitWithoutReader(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<unknown> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.destroy()
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

async function sizeOf(directory: string): Promise<number> {
  const { stdout } = await run('du', ['-sk', directory])
  return Number.parseInt(stdout, 10) * 1024
}
