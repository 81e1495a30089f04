/**
 * The service of one FAT disk (FAT12, FAT16, FAT32), an instance of a template: `fat@hdb`. Everything it does is in
 * services/lib/filesystem (the server) and filesystems/fat (the format); the guarantees are in docs/fat.md.
 */
import { fat } from '../../filesystems/fat/index.ts';
import { serveFileSystem } from '../lib/filesystem/index.ts';

serveFileSystem(fat);
