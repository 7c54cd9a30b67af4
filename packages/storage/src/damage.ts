/** What is found damaged on reading is told, named, and treated as absent; another holder may still have it. */
export interface Damage {
  /** chunk: `key` is its id. record: a record that belongs to the chunks. local-record: this device's own. */
  readonly area: 'chunk' | 'chunk-index' | 'counters' | 'record' | 'local-record'
  readonly key: string
}

export type OnDamaged = (damage: Damage) => void
