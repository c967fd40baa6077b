// node-opcua as a client that nobody here wrote: browses the machine, reads units, subscribes while a recording plays.
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";

// node looks for packages beside a script; ours are elsewhere.
const {
  AttributeIds, ClientMonitoredItemGroup, ClientSubscription, makeBrowsePath, MessageSecurityMode, OPCUACertificateManager,
  OPCUAClient, SecurityPolicy, TimestampsToReturn, UserTokenType,
} = createRequire(`${process.env.PACKAGES}/`)("node-opcua");

const [url, folder, machine, seconds] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
await certificates.initialize();
const client = OPCUAClient.create({
  applicationName: "peer", applicationUri: "urn:test:node-opcua",
  securityMode: MessageSecurityMode.SignAndEncrypt, securityPolicy: SecurityPolicy.Basic256Sha256,
  clientCertificateManager: certificates, endpointMustExist: false, connectionStrategy: { maxRetry: 1 },
});
await client.connect(url);
const session = await client.createSession({ type: UserTokenType.UserName, userName: "agent", password: "right horse" });
const uris = (await session.readNamespaceArray());
const index = (uri) => { const n = uris.indexOf(uri); if (n < 0) throw new Error(`no ${uri}`); return n; };
const prefix = {
  di: index("http://opcfoundation.org/UA/DI/"), mach: index("http://opcfoundation.org/UA/Machinery/"),
  mt: index("http://opcfoundation.org/UA/MachineTool/"), cnc: index("http://opcfoundation.org/UA/CNC"),
  ss: index("urn:spindleshare:recorded-machine"),
};
const root = `/${prefix.mach}:Machines/${prefix.ss}:${machine}`;
const find = async (path) => {
  const full = root + "/" + path.replace(/\b(di|mach|mt|cnc|ss):/g, (_, p) => `${prefix[p]}:`);
  const result = await session.translateBrowsePath(makeBrowsePath("ObjectsFolder", full));
  if (!result.targets?.length) throw new Error(`nothing at ${full}: ${result.statusCode}`);
  return result.targets[0].targetId;
};
const speed = await find("cnc:CncInterface/cnc:CncSpindleList/ss:S1/cnc:ActSpeed");
const unit = await session.read({ nodeId: await find("cnc:CncInterface/cnc:CncSpindleList/ss:S1/cnc:ActSpeed/EngineeringUnits") });
const state = await session.read({ nodeId: await find("mach:MachineryBuildingBlocks/mach:MachineryItemState/CurrentState") });
const count = async (nodeId, depth = 0) => {
  let total = 1;
  if (depth > 12) throw new Error("too deep");
  const { references } = await session.browse({ nodeId, referenceTypeId: "HierarchicalReferences", includeSubtypes: true, browseDirection: 0, resultMask: 63 });
  for (const reference of references ?? []) total += await count(reference.nodeId, depth + 1);
  return total;
};
const nodes = await count(await find("cnc:CncInterface"));
const subscription = ClientSubscription.create(session, {
  requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 20, maxNotificationsPerPublish: 300, publishingEnabled: true,
});
const items = [speed, await find("ss:Recording/ss:Heartbeat"), await find("cnc:CncInterface/cnc:CncAxisList/ss:X/cnc:PosDirect/cnc:ActPos")];
const got = [];
let last = "";
const group = ClientMonitoredItemGroup.create(
  subscription, items.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
  { samplingInterval: 0, queueSize: 10000, discardOldest: true, filter: undefined }, TimestampsToReturn.Both,
);
group.on("changed", (_, value, number) => {
  const stamp = value.sourceTimestamp?.toISOString();
  if (number === 0) got.push([value.value.value, stamp, value.statusCode.value, value.serverTimestamp !== null]);
  if (number === 1) last = stamp;
});
const end = Date.now() + 1000 * Number(seconds);
while (Date.now() < end && !existsSync(`${folder}/played`)) await new Promise((go) => setTimeout(go, 50));
await new Promise((go) => setTimeout(go, 300));
await session.close(true);
await client.disconnect();
console.log(JSON.stringify({ unit: unit.value.value.displayName.text, unitId: unit.value.value.unitId, state: state.value.value?.text ?? String(state.statusCode), nodes, got, last }));
process.exit(0);
