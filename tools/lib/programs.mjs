/**
 * What is started as a process or a thread is put into a few files beforehand (ADR 12): reading a thousand modules takes longer than
 * anything these programs do first. Made of what the compiler wrote; made again only when that, a library or this file has changed.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from './run.mjs'

/** What has native parts or WebAssembly beside it, and what is there only where somebody installed it. */
const LEFT_OUTSIDE = ['@automerge/automerge', 'level', '@napi-rs/keyring', '@libp2p/webrtc']

/** The document worker's. A program that contains the engine has it beside itself. */
const thread = 'packages/engine/dist/worker/thread.js'

/** Programs of one folder share what they have in common; other files than these names are that. */
const FOLDERS = [
  { into: 'packages/engine/bundle', programs: { thread } },
  {
    into: 'packages/demo-app/bundle',
    programs: {
      segue: 'packages/demo-app/dist/cli/segue.js',
      supervisor: 'packages/demo-app/dist/daemon/supervisor.js',
      daemon: 'packages/demo-app/dist/daemon/main.js',
      thread,
    },
  },
  { into: 'packages/relay/bundle', programs: { 'segue-relay': 'packages/relay/dist/cli/segue-relay.js' } },
  // Tests start these, most of them dozens of times.
  {
    into: 'packages/storage/fixtures/bundle',
    programs: Object.fromEntries(
      ['keychain-user', 'opener', 'slot-changer', 'writer'].map(name => [name, `packages/storage/fixtures/${name}.ts`]),
    ),
  },
  { into: 'packages/net/test-support/bundle', programs: { 'mdns-device': 'packages/net/test-support/mdns-device.ts' } },
  { into: 'packages/relay/test-support/bundle', programs: { 'relay-process': 'packages/relay/test-support/relay-process.js' } },
  {
    into: 'test/bundle',
    programs: {
      'device-process': 'test/integration/device-process.mjs',
      'adoption-process': 'test/integration/adoption-process.mjs',
      'recovery-process': 'test/integration/recovery-process.mjs',
      thread,
    },
  },
]

export async function bundlePrograms() {
  const newest = newestInput()
  for (const { into, programs } of FOLDERS) {
    const [folder, ...files] = [into, ...Object.values(programs)].map(each => path.join(ROOT, each))
    if (modified(folder) >= Math.max(newest, ...files.flatMap(besides).map(modified))) continue
    const { build: bundle } = await import('vite') // takes a while itself
    const unfinished = `${folder}.new`
    await bundle({
      configFile: false,
      root: path.dirname(folder),
      logLevel: 'warn',
      ssr: { noExternal: true, external: LEFT_OUTSIDE },
      build: {
        ssr: true, // for Node: its own modules stay outside
        outDir: unfinished,
        emptyOutDir: true,
        target: 'node20.19',
        minify: false,
        license: { fileName: 'LICENSES.md' },
        rolldownOptions: {
          input: Object.fromEntries(Object.keys(programs).map((name, i) => [name, files[i]])),
          output: {
            entryFileNames: '[name].js',
            chunkFileNames: 'shared-[hash].js',
            strictExecutionOrder: true, // what fills in for an older Node comes before what needs it
            // Only itself: what else lay in a program's file would start that program in whoever imports it, and wait for its end.
            codeSplitting: { groups: [{ name: 'shared', test: id => !files.includes(id), entriesAware: true }] },
          },
        },
      },
    })
    refuseSharedPrograms(unfinished, Object.keys(programs))
    rmSync(folder, { recursive: true, force: true })
    renameSync(unfinished, folder) // whole, or as it was
  }
}

/** @param {string} folder @param {readonly string[]} programs */
function refuseSharedPrograms(folder, programs) {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(path.join(folder, file), 'utf8')
    const imported = programs.find(name => text.includes(`from "./${name}.js"`) || text.includes(`import "./${name}.js"`))
    if (imported !== undefined) throw new Error(`${path.join(folder, file)} would start ${imported}`)
  }
}

/** What a program's own file may import from where it lies. @param {string} file */
function besides(file) {
  return readdirSync(path.dirname(file)).map(name => path.join(path.dirname(file), name))
}

function newestInput() {
  const dists = readdirSync(path.join(ROOT, 'packages')).map(name => path.join(ROOT, 'packages', name, 'dist'))
  const outputs = dists.flatMap(dist => readdirSync(dist, { recursive: true }).map(file => path.join(dist, file)))
  const own = [import.meta.filename, path.join(ROOT, 'package-lock.json'), path.join(ROOT, 'node_modules/.package-lock.json')]
  return Math.max(...[...outputs.filter(file => file.endsWith('.js')), ...own].map(modified))
}

/** Milliseconds since 1970; 0 for what is not there. @param {string} file */
function modified(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0
}
