/**
 * The service of one VRFS disk, an instance of a template: `vrfs@hda1`. Everything it does is in
 * services/lib/filesystem (the server) and filesystems/vrfs (the format); the guarantees are in docs/vrfs.md.
 */
import { vrfs } from '../../filesystems/vrfs/index.ts';
import { serveFileSystem } from '../lib/filesystem/index.ts';

serveFileSystem(vrfs);
