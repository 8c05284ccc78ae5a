export { createPeerMonitor, type MonitorDeps, type MonitorOptions } from './monitor.ts';
