<?php
// PHP's curl gets a token and calls the API with it.

function request(string $url, array $options): array
{
    $curl = curl_init($url);
    curl_setopt_array($curl, $options + [CURLOPT_RETURNTRANSFER => true]);
    $body = curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    if ($body === false || $status !== 200) {
        fwrite(STDERR, "$url: $status $body " . curl_error($curl) . "\n");
        exit(1);
    }
    return [$status, $body];
}

[, $answer] = request(getenv('ISSUER') . '/oauth2/token', [
    CURLOPT_USERPWD => getenv('CLIENT_ID') . ':' . getenv('CLIENT_SECRET'),
    CURLOPT_POSTFIELDS => http_build_query(['grant_type' => 'client_credentials', 'scope' => 'reports:read']),
]);
$token = json_decode($answer, true, 512, JSON_THROW_ON_ERROR)['access_token'];

// An array makes curl send multipart/form-data, which the endpoint reads too.
request(getenv('ISSUER') . '/oauth2/token', [
    CURLOPT_USERPWD => getenv('CLIENT_ID') . ':' . getenv('CLIENT_SECRET'),
    CURLOPT_POSTFIELDS => ['grant_type' => 'client_credentials'],
]);

[, $body] = request(getenv('API'), [CURLOPT_HTTPHEADER => ["Authorization: Bearer $token"]]);
echo $body;
