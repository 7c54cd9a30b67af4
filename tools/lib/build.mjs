/** Compiles every package, and makes the programs of them. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { bundlePrograms } from './programs.mjs'
import { ROOT, bin, runNode } from './run.mjs'

/** Of everything that is started or imported. Incremental: some ten seconds the first time, one after. What the tools print goes to stderr. */
export async function build() {
  const folders = readdirSync(path.join(ROOT, 'packages')).map(name => path.join(ROOT, 'packages', name))
  const { code } = await runNode([bin('typescript/bin/tsc'), '-b', ...folders], { stdout: 'stderr' })
  if (code !== 0) process.exit(code)
  folders.forEach(dropOrphans)
  await bundlePrograms()
}

/**
 * The compiler leaves the output of a source that was renamed or deleted; it must neither be packed nor satisfy an import.
 * @param {string} folder
 */
function dropOrphans(folder) {
  const dist = path.join(folder, 'dist')
  if (!existsSync(dist)) return
  for (const entry of readdirSync(dist, { recursive: true })) {
    const source = entry.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts')
    if (source !== entry && !existsSync(path.join(folder, 'src', source))) rmSync(path.join(dist, entry))
  }
}
