SELECT
  f.provider_id,
  p.platform_slug,
  COUNT_IF(f.action = 'pause') AS pauses,
  COUNT_IF(f.action = 'resume') AS resumes,
  COUNT_IF(f.action = 'escalate') AS escalations,
  MAX(f.created_at) AS last_action_at
FROM analytics.guardrail_followups AS f
LEFT JOIN analytics.provider_catalog AS p
  ON p.provider_id = f.provider_id
WHERE f.created_at >= DATEADD(day, -14, CURRENT_TIMESTAMP())
GROUP BY 1, 2
ORDER BY last_action_at DESC;
