import { register } from 'node:module';

// Before anything else in a process or a thread with bugs: modules that they change are changed as they are loaded.
register('./loader.js', import.meta.url);
