/** The only importer of Noise, so that moving to its new name (@libp2p/noise) is a change of one line. */
export { noise } from '@chainsafe/libp2p-noise'
