/** What the services of file systems share, beyond the service library: bundled into each of them. */
export { Batch, type Caller, type Work } from './batch.ts';
export { Clock } from './clock.ts';
export { clear, openDriverDevice, partOf, recoveryStore } from './device.ts';
export { mapPlaces, type PathMethodName, type PathRequest, pathMethodNames } from './path-methods.ts';
export { fileHandlers, pathHandlers, performFile, performPath } from './perform.ts';
export { serveFileSystem } from './server.ts';
export { LeadsOut, type Place, Volume, type VolumeSettings } from './volume.ts';
