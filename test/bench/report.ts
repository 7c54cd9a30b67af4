/** What the bench says when it is done: a table for people, one document for programs. */
import { cpus, totalmem } from 'node:os'
import type { Result } from './bench.ts'

export interface Report {
  readonly schemaVersion: 1
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGb: number
    readonly node: string
    readonly platform: string
  }
  readonly results: readonly Result[]
}

export function reportOf(results: readonly Result[]): Report {
  const processors = cpus()
  const machine = {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: process.platform,
  }
  return { schemaVersion: 1, machine, results }
}

export function tableOf({ machine, results }: Report): string {
  const rows = results.map(rowOf)
  const widths = HEADINGS.map((heading, i) => Math.max(heading.length, ...rows.map(row => (row[i] as string).length)))
  const lines = [HEADINGS, widths.map(width => '-'.repeat(width)), ...rows].map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd(),
  )
  return [`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, Node ${machine.node}`, '', ...lines].join('\n')
}

const HEADINGS = ['id', 'what', 'value', 'p99', 'peer', 'peer has', 'ratio', 'target', 'holds']

function rowOf({ id, what, unit, value, p99, peer = '', peerValue, ratio, target = '', holds }: Result): readonly string[] {
  const figure = (number: number | undefined): string => (number === undefined ? '' : `${number} ${unit}`)
  return [
    id,
    what,
    figure(value),
    figure(p99),
    peer,
    figure(peerValue),
    ratio === undefined ? '' : `${ratio}x`,
    target,
    holds === undefined ? '' : holds ? 'yes' : 'NO',
  ]
}
