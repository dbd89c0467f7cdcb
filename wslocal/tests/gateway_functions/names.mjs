// Asks @connections by the name that the event gives, without a signature, and returns the answer.
export const messages = async (event) => {
  const { domainName, stage, connectionId } = event.requestContext;
  const id = encodeURIComponent(connectionId);
  const answer = await fetch(`https://${domainName}/${stage}/@connections/${id}`, { method: "POST", body: "x" });
  const kind = answer.headers.get("x-amzn-errortype");
  return { statusCode: 200, body: JSON.stringify({ status: answer.status, kind, url: answer.url }) };
};
