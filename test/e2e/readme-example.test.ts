/** The first example of the README runs as it stands: only where it lies and what it listens on are this test's. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * Takes the place of @segue/engine for the example: the real one, with the network options that every test has (127.0.0.1, no mDNS),
 * which the example leaves to their defaults.
 */
const ON_LOOPBACK = `
import * as engine from '@segue/engine-itself'
export * from '@segue/engine-itself'
const network = { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] }
export const openSegue = options => engine.openSegue({ ...options, network: { ...network, ...options.network } })
`

test('the example in the README hands a session over', async () => {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  const [, example] = /<!-- example: [^\n]*-->\n```ts\n([\s\S]*?)```/.exec(readme) ?? []
  expect(example).toContain("from '@segue/engine'")

  const folder = mkdtempSync(path.join(tmpdir(), 'segue-readme-'))
  try {
    const modules = path.join(folder, 'node_modules', '@segue')
    mkdirSync(path.join(modules, 'engine'), { recursive: true })
    symlinkSync(path.join(ROOT, 'packages', 'engine'), path.join(modules, 'engine-itself'))
    writeFileSync(path.join(modules, 'engine', 'package.json'), JSON.stringify({ type: 'module', exports: './index.js' }))
    writeFileSync(path.join(modules, 'engine', 'index.js'), ON_LOOPBACK)
    writeFileSync(path.join(folder, 'example.mjs'), example ?? '')

    const child = spawn(process.execPath, ['example.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text))
    const [code] = (await once(child, 'close')) as [number | null]
    expect([code, said.trim().split('\n').at(-1)], said).toEqual([0, 'done'])
    expect(said).toMatch(/authentication reached[\s\S]*verification reached/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
