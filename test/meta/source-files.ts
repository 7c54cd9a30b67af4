/** The project's own files, for tests about the repository itself. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string
  readonly text: string
}

const SKIPPED = new Set(['node_modules', 'dist', '.git', '.turbo', 'coverage'])

export function filesUnder(folder: string, ending: string): readonly SourceFile[] {
  const found: SourceFile[] = []
  const visit = (relative: string): void => {
    for (const entry of readdirSync(path.join(ROOT, relative), { withFileTypes: true })) {
      const child = path.posix.join(relative, entry.name)
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) visit(child)
      } else if (entry.name.endsWith(ending)) {
        found.push({ path: child, text: readFileSync(path.join(ROOT, child), 'utf8') })
      }
    }
  }
  visit(folder)
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

export function readRootFile(relative: string): string {
  return readFileSync(path.join(ROOT, relative), 'utf8')
}

/** What a file imports or re-exports, types included. */
export function importsOf(file: SourceFile): readonly string[] {
  return [...file.text.matchAll(/^(?:import|export)\b[^'"`;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm)].map(
    match => (match[1] ?? match[2]) as string,
  )
}

/** What loads when this file of a package does: it, and all it imports, through the packages' own exports. Libraries by name. */
export function loadedBy(entry: string): ReadonlySet<string> {
  const loaded = new Set<string>()
  const visit = (name: string): void => {
    if (loaded.has(name)) return
    loaded.add(name)
    if (!name.endsWith('.ts')) return
    const text = readRootFile(name)
    for (const [, imported = ''] of text.matchAll(/^(?:import|export)\s+(?!type\b)(?:[^'"`;]*?from\s+)?'([^']+)'/gm)) {
      visit(imported.startsWith('.') ? path.posix.join(path.posix.dirname(name), imported) : sourceOf(imported))
    }
  }
  visit(entry)
  return loaded
}

function sourceOf(imported: string): string {
  const [, name, subpath = ''] = /^@segue\/([^/]+)(\/.*)?$/.exec(imported) ?? []
  if (name === undefined) return imported
  const { exports } = JSON.parse(readRootFile(`packages/${name}/package.json`)) as { exports: Record<string, { '@segue/source': string }> }
  return path.posix.join('packages', name, exports[`.${subpath}`]?.['@segue/source'] ?? '')
}
