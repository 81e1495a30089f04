/**
 * The second extended file system on the disk: constants and positions of fields. Read D. Poirier, "The Second Extended
 * File System: Internal Layout", and "ext4 Disk Layout" (kernel.org) for the fields that came later and are compatible.
 * All numbers are little endian.
 */

/** Where the superblock begins, in bytes from the beginning of the device, whatever the block size. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;
export const MAGIC = 0xef53;

/** Bytes of a group descriptor. */
export const DESCRIPTOR_BYTES = 32;

export const MIN_BLOCK_BYTES = 1024;
export const MAX_BLOCK_BYTES = 4096;

/** Inodes with a fixed meaning. */
export const ROOT_INODE = 2;
export const RESIZE_INODE = 7;
/** First inode for ordinary use in revision 0, and the usual one since. */
export const FIRST_ORDINARY_INODE = 11;

/** Length of the part of an inode that every revision has. */
export const GOOD_OLD_INODE_BYTES = 128;

/** Names of one inode at most, and directories in a directory (EXT2_LINK_MAX). */
export const MAX_LINKS = 32000;

/** Fields of the superblock: offset in bytes. The comment says how wide where it is not 32 bits. */
export const superblockField = {
  inodesCount: 0,
  blocksCount: 4,
  reservedBlocksCount: 8,
  freeBlocksCount: 12,
  freeInodesCount: 16,
  firstDataBlock: 20,
  logBlockSize: 24,
  logFragmentSize: 28,
  blocksPerGroup: 32,
  fragmentsPerGroup: 36,
  inodesPerGroup: 40,
  mountTime: 44,
  writeTime: 48,
  mountCount: 52, // 16
  maxMountCount: 54, // 16, signed
  magic: 56, // 16
  state: 58, // 16
  errors: 60, // 16
  minorRevision: 62, // 16
  lastCheck: 64,
  checkInterval: 68,
  creatorOs: 72,
  revision: 76,
  firstInode: 84,
  inodeSize: 88, // 16
  groupNumber: 90, // 16: of the group that holds this copy
  compatible: 92,
  incompatible: 96,
  readOnlyCompatible: 100,
  uuid: 104, // 16 bytes
  volumeName: 120, // 16 bytes
  reservedDescriptorBlocks: 206, // 16
  lastOrphan: 232,
  hashSeed: 236, // 16 bytes
  defaultHashVersion: 252, // 8
  makeTime: 264,
  minExtraSize: 348, // 16
  wantExtraSize: 350, // 16
  flags: 352,
  backupGroups: 588, // two of 32
} as const;

/** Lengths of the texts in the superblock. */
export const UUID_BYTES = 16;
export const VOLUME_NAME_BYTES = 16;

/** Bits of `state`. */
export const stateFlag = { clean: 1, errors: 2, orphansBeingFreed: 4 } as const;

/** Values of `errors`: what to do when damage is found. */
export const errorBehaviour = { goOn: 1, readOnly: 2, panic: 3 } as const;

/** Features that a driver may ignore. */
export const compatibleFeature = {
  journal: 0x4,
  extendedAttributes: 0x8,
  resizeInode: 0x10,
  directoryIndex: 0x20,
  sparseSuper2: 0x200,
} as const;

/** Features that a driver has to know. */
export const incompatibleFeature = {
  fileType: 0x2,
  recover: 0x4,
  journalDevice: 0x8,
} as const;

/** Features that a driver has to know to write. */
export const readOnlyCompatibleFeature = {
  sparseSuper: 0x1,
  largeFile: 0x2,
  extraInodeSize: 0x40,
} as const;

/** The features that are supported, also for checking. */
export const KNOWN_INCOMPATIBLE: number = incompatibleFeature.fileType;
export const KNOWN_READ_ONLY_COMPATIBLE: number = Object.values(readOnlyCompatibleFeature).reduce(
  (all, flag) => all | flag,
  0,
);

const COMPATIBLE_NAMES: Readonly<Record<number, string>> = {
  1: 'dir_prealloc',
  2: 'imagic_inodes',
  4: 'has_journal',
  8: 'ext_attr',
  16: 'resize_inode',
  32: 'dir_index',
  512: 'sparse_super2',
  1024: 'fast_commit',
  2048: 'stable_inodes',
  4096: 'orphan_file',
};

const INCOMPATIBLE_NAMES: Readonly<Record<number, string>> = {
  1: 'compression',
  2: 'filetype',
  4: 'needs_recovery',
  8: 'journal_dev',
  16: 'meta_bg',
  64: 'extents',
  128: '64bit',
  256: 'mmp',
  512: 'flex_bg',
  1024: 'ea_inode',
  4096: 'dirdata',
  8192: 'metadata_csum_seed',
  16384: 'large_dir',
  32768: 'inline_data',
  65536: 'encrypt',
  131072: 'casefold',
};

const READ_ONLY_COMPATIBLE_NAMES: Readonly<Record<number, string>> = {
  1: 'sparse_super',
  2: 'large_file',
  4: 'btree_dir',
  8: 'huge_file',
  16: 'uninit_bg',
  32: 'dir_nlink',
  64: 'extra_isize',
  256: 'quota',
  512: 'bigalloc',
  1024: 'metadata_csum',
  2048: 'replica',
  4096: 'read-only',
  8192: 'project',
  16384: 'shared_blocks',
  32768: 'verity',
  65536: 'orphan_present',
};

/** The names of a set of features as the tools of ext2 print them. */
export function featureNames(kind: 'compatible' | 'incompatible' | 'readOnlyCompatible', flags: number): string {
  const names = {
    compatible: COMPATIBLE_NAMES,
    incompatible: INCOMPATIBLE_NAMES,
    readOnlyCompatible: READ_ONLY_COMPATIBLE_NAMES,
  }[kind];
  const found: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    const flag = (1 << bit) >>> 0;
    if ((flags & flag) !== 0) found.push(names[flag] ?? `0x${flag.toString(16)}`);
  }
  return found.join(', ');
}

/** Fields of a group descriptor. */
export const descriptorField = {
  blockBitmap: 0,
  inodeBitmap: 4,
  inodeTable: 8,
  freeBlocks: 12, // 16
  freeInodes: 14, // 16
  usedDirectories: 16, // 16
} as const;

/** Fields of an inode. */
export const inodeField = {
  mode: 0, // 16
  uid: 2, // 16
  size: 4,
  accessed: 8,
  changed: 12,
  modified: 16,
  deleted: 20,
  gid: 24, // 16
  links: 26, // 16
  sectors: 28,
  flags: 32,
  blocks: 40, // 15 of 32
  generation: 100,
  attributeBlock: 104,
  sizeHigh: 108,
  sectorsHigh: 116, // 16
  attributeBlockHigh: 118, // 16
  // Only where the inode is larger than 128 bytes, and as far as `extraSize` reaches:
  extraSize: 128, // 16
  changedExtra: 132,
  modifiedExtra: 136,
  accessedExtra: 140,
  created: 144,
  createdExtra: 148,
} as const;

/** Bytes behind the first 128 that a new inode uses (up to and with the project number, as e2fsprogs has it). */
export const EXTRA_INODE_BYTES = 32;

/** Pointers in an inode: direct ones, then one each of single, double and triple indirection. */
export const DIRECT_POINTERS = 12;
export const POINTERS = 15;
export const POINTER_BYTES = 4;

/** Bits of an inode's `flags`. */
export const inodeFlag = {
  immutable: 0x10,
  appendOnly: 0x20,
  indexed: 0x1000,
  hugeFile: 0x40000,
  extents: 0x80000,
  inlineData: 0x10000000,
} as const;

/** Type of an inode in its `mode`. */
export const TYPE_MASK = 0xf000;
export const inodeType = {
  pipe: 0x1000,
  character: 0x2000,
  directory: 0x4000,
  block: 0x6000,
  file: 0x8000,
  symlink: 0xa000,
  socket: 0xc000,
} as const;

/** Type of an entry's inode, kept in the entry itself (feature `filetype`). */
export const entryType: Readonly<Record<number, number>> = {
  [inodeType.file]: 1,
  [inodeType.directory]: 2,
  [inodeType.character]: 3,
  [inodeType.block]: 4,
  [inodeType.pipe]: 5,
  [inodeType.socket]: 6,
  [inodeType.symlink]: 7,
};
