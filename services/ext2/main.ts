/**
 * The service of one ext2 disk, an instance of a template: `ext2@hdb`. Everything it does is in services/lib/filesystem
 * (the server) and filesystems/ext2 (the format); the guarantees are in docs/ext2.md.
 */
import { ext2 } from '../../filesystems/ext2/index.ts';
import { serveFileSystem } from '../lib/filesystem/index.ts';

serveFileSystem(ext2);
