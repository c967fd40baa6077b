// node-opcua's own client with its defaults for reconnection; each value is one JSON line on standard output.
//   node node_peer.cjs URL FOLDER QUEUE
const path = require("path");
const { OPCUAClient, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, UserTokenType, AttributeIds,
  TimestampsToReturn, ClientMonitoredItem, makeBrowsePath } = require("node-opcua");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

async function main(url, folder, queue) {
  const certificates = new OPCUACertificateManager({
    rootFolder: path.join(folder, "pki"), automaticallyAcceptUnknownCertificate: true,
  });
  await certificates.initialize();
  const client = OPCUAClient.create({
    applicationName: "node-opcua-peer", clientCertificateManager: certificates, endpointMustExist: false,
    securityPolicy: SecurityPolicy.Basic256Sha256, securityMode: MessageSecurityMode.SignAndEncrypt,
    keepSessionAlive: true, requestedSessionTimeout: 3600000,
    connectionStrategy: { maxRetry: -1, initialDelay: 500, maxDelay: 2000 },
  });
  await client.connect(url);
  const session = await client.createSession(
    { type: UserTokenType.UserName, userName: "agent", password: "a secret of the test" });
  const uris = await session.readNamespaceArray();
  const machinery = uris.indexOf("http://opcfoundation.org/UA/Machinery/");
  const cnc = uris.indexOf("http://opcfoundation.org/UA/CNC");
  const own = uris.indexOf("urn:spindleshare:bench:mill");
  const base = `/${machinery}:Machines/${own}:Mill/${cnc}:CncInterface/${cnc}:CncSpindleList/${own}:S1/${cnc}:`;
  const subscription = await session.createSubscription2({ requestedPublishingInterval: 100,
    requestedMaxKeepAliveCount: 20, requestedLifetimeCount: 36000, publishingEnabled: true });
  for (const name of ["ActSpeed", "ActLoad", "ActPower", "ActTorque", "ActOverride"]) {
    const found = await session.translateBrowsePath(makeBrowsePath("ObjectsFolder", base + name));
    const item = ClientMonitoredItem.create(subscription,
      { nodeId: found.targets[0].targetId, attributeId: AttributeIds.Value },
      { samplingInterval: 0, queueSize: queue, discardOldest: true }, TimestampsToReturn.Source);
    item.on("changed", (data) => { if (data.value.value !== null) say([name, data.value.value]); });
    await new Promise((done) => item.once("initialized", done));
  }
  say({ ready: true });
}

main(process.argv[2], process.argv[3], Number(process.argv[4]))
  .catch((error) => { say({ error: String(error.stack) }); process.exit(1); });
