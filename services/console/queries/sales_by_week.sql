/*
title = "Sales by week"
description = "For each ISO week and currency: orders, customers with an account, pieces, what was sold, what came back and what is left. Weeks without a line are left out."
[parameters.first_day]
type = "date"
description = "The first day that counts, in UTC."
default = "0001-01-01"
[parameters.last_day]
type = "date"
description = "The last day that counts."
default = "9999-12-31"
*/
SELECT
  d.iso_year,
  d.iso_week,
  f.currency,
  count(DISTINCT CASE WHEN f.kind = 'sale' THEN f.source || '/' || f.order_id END) AS orders,
  count(DISTINCT CASE WHEN f.kind = 'sale' THEN c.customer_id END) AS customers,
  sum(f.quantity) AS units,
  sum(CASE WHEN f.kind = 'sale' THEN f.amount ELSE 0 END) AS sold,
  sum(CASE WHEN f.kind = 'cancellation' THEN -f.amount ELSE 0 END) AS returned,
  sum(f.amount) AS revenue
FROM fact_order_lines AS f
JOIN dim_date AS d ON d.date_key = f.date_key
JOIN dim_customer AS c ON c.customer_key = f.customer_key
WHERE d.day BETWEEN :first_day AND :last_day
GROUP BY d.iso_year, d.iso_week, f.currency
ORDER BY d.iso_year, d.iso_week, f.currency
