import path from 'node:path'
import { expect, test } from 'vitest'
import { CORE_LAYERS, PACKAGE_ARROWS, SOLE_IMPORTERS } from './layers.ts'
import { filesUnder, importsOf, loadedBy, readRootFile } from './source-files.ts'

const isTest = (file: { readonly path: string }): boolean => file.path.endsWith('.test.ts') || file.path.includes('/test-support/')
const coreFiles = filesUnder('packages/core/src', '.ts').filter(file => !isTest(file))

function coreFolderOf(filePath: string): string | undefined {
  const inside = path.posix.relative('packages/core/src', filePath)
  return inside.includes('/') ? inside.split('/')[0] : undefined
}

test('every folder of core is in the layer table', () => {
  const folders = new Set(coreFiles.map(file => coreFolderOf(file.path)).filter(folder => folder !== undefined))
  expect([...folders].filter(folder => !(CORE_LAYERS as readonly string[]).includes(folder))).toEqual([])
})

test('inside core a folder imports only folders above it', () => {
  const wrong: string[] = []
  for (const file of coreFiles) {
    const from = coreFolderOf(file.path)
    if (from === undefined) continue
    for (const imported of importsOf(file).filter(name => name.startsWith('.'))) {
      const to = coreFolderOf(path.posix.join(path.posix.dirname(file.path), imported))
      if (to === undefined || CORE_LAYERS.indexOf(to as never) > CORE_LAYERS.indexOf(from as never))
        wrong.push(`${file.path} -> ${imported}`)
    }
  }
  expect(wrong).toEqual([])
})

test('packages import each other only along the arrows, and never their insides', () => {
  const wrong: string[] = []
  for (const [name, allowed] of Object.entries(PACKAGE_ARROWS)) {
    for (const file of filesUnder(`packages/${name}/src`, '.ts').filter(file => !isTest(file))) {
      for (const imported of importsOf(file)) {
        const isOther = imported.startsWith('@segue/')
        const isAllowed = allowed.some(prefix => imported === prefix || imported.startsWith(`${prefix}/`))
        if ((isOther && !isAllowed) || /@segue\/[^/]+\/(src|dist)\//.test(imported)) wrong.push(`${file.path} -> ${imported}`)
        if (/\.\.\/\.\.\/packages\//.test(imported)) wrong.push(`${file.path} -> ${imported}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('a library with one importer has only that one', () => {
  const wrong: string[] = []
  for (const file of filesUnder('packages', '.ts').filter(file => !isTest(file))) {
    for (const imported of importsOf(file)) {
      for (const [library, places] of Object.entries(SOLE_IMPORTERS)) {
        if (imported !== library && !imported.startsWith(`${library}/`)) continue
        if (!places.some(place => file.path.startsWith(place))) wrong.push(`${file.path} -> ${imported}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('a command that only asks the daemon starts without the engine: neither Automerge nor libp2p nor Level is loaded', () => {
  const loaded = loadedBy('packages/demo-app/src/cli/segue.ts')
  expect([...loaded].filter(name => /^@?(segue|automerge|libp2p|chainsafe|noble|level)\b/.test(name))).toEqual([])
  expect(loaded).not.toContain('packages/engine/src/index.ts')
  expect([...loaded].filter(name => name.startsWith('packages/core/')).length).toBeLessThan(15)
})

test('a relay, a store and a node start without Automerge', () => {
  for (const entry of ['packages/relay/src/relay.ts', 'packages/storage/src/index.ts', 'packages/net/src/index.ts']) {
    const loaded = loadedBy(entry)
    expect(loaded).toContain('packages/core/src/sealed.ts')
    expect([...loaded].filter(name => name.startsWith('@automerge/'))).toEqual([])
  }
})

test('a command that only asks a relay that runs starts without what a relay is made of', () => {
  const loaded = loadedBy('packages/relay/src/cli/segue-relay.ts')
  expect([...loaded].filter(name => /^@?(libp2p|chainsafe|automerge)\b/.test(name) || name === 'packages/relay/src/relay.ts')).toEqual([])
})

test('docs/architecture.md names the layers of core in this order', () => {
  const text = readRootFile('docs/architecture.md')
  const positions = CORE_LAYERS.map(layer => text.indexOf(`\n    ${layer}/`))
  expect(positions.filter(position => position < 0)).toEqual([])
  expect(positions).toEqual(positions.toSorted((a, b) => a - b))
})
