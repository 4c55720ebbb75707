/*
title = "Cohort retention"
description = "Customers by the month of their first order, and how many of them ordered again so many months later (UTC). Guests are left out. A customer's first order is looked for in these days alone."
[parameters.first_day]
type = "date"
description = "The first day that counts, in UTC."
default = "0001-01-01"
[parameters.last_day]
type = "date"
description = "The last day that counts."
default = "9999-12-31"
*/
WITH bought AS (
  SELECT DISTINCT c.customer_id, d.year, d.month
  FROM fact_order_lines AS f
  JOIN dim_date AS d ON d.date_key = f.date_key
  JOIN dim_customer AS c ON c.customer_key = f.customer_key
  WHERE f.kind = 'sale' AND c.customer_id IS NOT NULL AND d.day BETWEEN :first_day AND :last_day
),
ordered AS (
  SELECT customer_id, year, month, row_number() OVER (PARTITION BY customer_id ORDER BY year, month) AS place
  FROM bought
),
first_month AS (
  SELECT customer_id, year AS cohort_year, month AS cohort_month FROM ordered WHERE place = 1
),
sizes AS (
  SELECT cohort_year, cohort_month, count(*) AS cohort_customers FROM first_month GROUP BY cohort_year, cohort_month
)
SELECT
  g.cohort_year,
  g.cohort_month,
  (b.year - g.cohort_year) * 12 + b.month - g.cohort_month AS months_later,
  count(*) AS customers,
  s.cohort_customers,
  round(CAST(count(*) AS DOUBLE) / CAST(s.cohort_customers AS DOUBLE), 4) AS retention
FROM bought AS b
JOIN first_month AS g ON g.customer_id = b.customer_id
JOIN sizes AS s ON s.cohort_year = g.cohort_year AND s.cohort_month = g.cohort_month
GROUP BY
  g.cohort_year,
  g.cohort_month,
  (b.year - g.cohort_year) * 12 + b.month - g.cohort_month,
  s.cohort_customers
ORDER BY g.cohort_year, g.cohort_month, months_later
